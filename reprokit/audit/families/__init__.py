"""The families of checks, a file each; every one yields statements about one bundle."""
