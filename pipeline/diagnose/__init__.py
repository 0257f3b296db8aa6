"""Why a quantized model is slow, and which layers to leave in float."""
