"""What is done to pictures: analyses that make plans, ops that carry them out, and the loop that runs both."""
