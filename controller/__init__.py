"""treadle: a workflow controller. People commit YAML specs; the machine follows the folder."""

__version__ = "0.1.0"
