"""The product as a whole: the Functions host, Azurite and the emulated servers as processes, reached over HTTP only."""
