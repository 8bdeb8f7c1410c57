"""The models of this plugin, as lmms-eval looks them up."""

AVAILABLE_MODELS = {"tint_reader": "TintReader"}
