"""What the product must survive: one module a fault, each injected into a real router and a real Asterisk."""
