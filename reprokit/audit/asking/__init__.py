"""What is asked of the world outside: one small interface a question, answers kept with the time they were given."""
