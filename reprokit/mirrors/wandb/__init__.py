"""The mirror on Weights & Biases.

What stands here never imports `wandb`: its client runs in a process of its own, below `client/`, and all that is said
to it and by it is in `wire`.
"""
