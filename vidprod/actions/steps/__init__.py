"""What actions do, one file each: analyse, load_plan, render. Imported when an action runs."""
