"""The samples of two runs, paired and compared while they stream by."""
