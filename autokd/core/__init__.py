"""Values that all layers speak in."""
