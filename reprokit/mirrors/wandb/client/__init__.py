"""The process that holds W&B's client: the one place that imports `wandb`.

`python -P -m reprokit.mirrors.wandb.client` reads one request from its standard input and answers on its standard
output (`reprokit.mirrors.wandb.wire`); what the client itself reads and writes there is nobody's.
"""
