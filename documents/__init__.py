"""Documents for authorities in the forms people and systems read: JSON, HTML and PDF of one layout."""
