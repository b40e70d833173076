"""The shipped rule packs: their own tests, their texts, and their timing."""
