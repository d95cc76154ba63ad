"""Records become a page: `audit` runs the whole check of a model, `page` shows it, `demo` makes two models to check."""
