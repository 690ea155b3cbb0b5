"""The plots of the village, one module a theme or size."""
