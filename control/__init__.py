"""The HTTP face of the connector and its composition: settings of the environment, admin guard, JSON endpoints, sentences for people.

Decides nothing about synchronisation: that is `sync`, which knows neither HTTP nor the environment.
"""
