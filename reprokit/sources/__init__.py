"""Source records become trees and checkouts again, and the code between two of them is told."""
