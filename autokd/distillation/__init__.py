"""distillation of autokd."""
