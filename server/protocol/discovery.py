"""The names under which a centre announces itself by multicast DNS, where its settings ask for it."""

SERVICE = "_gongyuan._tcp.local."
PIN = "pin"
"""Property that holds the pin of the server's key (SHA-256 of its SubjectPublicKeyInfo, hex)."""
