"""The verdict in a judge's text: `parsers` reads it by its position (`anchors`) and what follows (`retractions`)."""
