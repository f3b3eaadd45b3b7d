"""Stand-ins for vtenext, Microsoft Graph and Entra ID, and a local Functions host. Product code never knows of them."""
