"""The pages a browser sees: `/` and `/docs`."""
