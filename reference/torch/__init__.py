"""The PyTorch port."""
