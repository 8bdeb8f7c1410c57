"""Two bundles become a comparison: pure functions, samples streamed.

`compare.py` is the way in. `tasks`, `setup/`, `samples/`, `scores/` and `statistics/` find what differs, `verdict` says
what it comes to, `shown/` writes it for a terminal or a pull request, `code` asks git what lies between two trees.
"""
