"""What models of characters are trained with."""
