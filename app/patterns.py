"""What names may look like, as patterns and in words."""

from __future__ import annotations

SLUG = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
"""Ids of classes and names of class spaces."""
FOLDER = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""Names of bundles: no separator of any system, no hidden folder, no parent."""
IN_WORDS = {
    SLUG: "1 to 64 lower-case letters, digits and inner hyphens are allowed",
    FOLDER: "1 to 100 letters, digits, dots, hyphens and underscores are allowed, the first a letter or digit",
}
"""For people who sent something else."""
