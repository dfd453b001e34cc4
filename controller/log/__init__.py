"""The log and the state folder around it: what is durable, who may write it, who reads it."""
