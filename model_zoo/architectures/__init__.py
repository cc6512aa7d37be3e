"""Architectures: ordered blocks from images to an embedding, without a head."""
