"""A trained model: its folder, its verbs, how answers are read off its distributions. Imports nothing by itself."""
