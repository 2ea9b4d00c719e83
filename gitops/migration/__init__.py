"""From one gitops-config repo for all to one for each team: with its history, and proof that nothing else changes."""
