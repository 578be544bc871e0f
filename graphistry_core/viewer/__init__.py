"""The viewer: what a dataset looks like, as data (scene), and the page that shows it. May import all but the client."""
