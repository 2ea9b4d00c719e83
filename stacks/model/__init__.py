"""What a platform team writes into a stack file, as types. Imports nothing of Fleet."""
