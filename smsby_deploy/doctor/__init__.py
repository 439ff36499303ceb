"""What is asked to learn the facts of an account, and what each means for a project. Cannot send."""
