"""What can be asked of people, one kind of task per file: each makes the items of a study out of records."""
