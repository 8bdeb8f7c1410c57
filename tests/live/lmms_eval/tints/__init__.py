"""A plugin for lmms-eval: a model that looks at a picture and names its tint, and two tasks for it."""
