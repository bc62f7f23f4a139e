"""The shells that move the venue's bytes: a websocket connection and a REST client. No rules live here."""
