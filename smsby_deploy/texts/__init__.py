"""What people read: templates, encoding and parts, price."""
