"""The gateway's decisions: who watches which wallet, what is told of it, what is kept until it is durable."""
