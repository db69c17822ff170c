"""The cloud's wire protocol: signed requests in, JSON or XML out. No sockets and no database in these modules."""
