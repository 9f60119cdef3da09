"""Where runs compute: device, precision, memory, Ray and its resources."""
