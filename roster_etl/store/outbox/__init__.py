"""The outbox of notifications, and the SMTP and webhook transports that empty it."""
