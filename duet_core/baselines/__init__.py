"""Baselines judged by the same evaluation as DUET."""

from duet_core.baselines.eszsl import Eszsl, EszslChoice, select_eszsl

__all__ = ["Eszsl", "EszslChoice", "select_eszsl"]
