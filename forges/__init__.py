"""The forges that keep the repos: pull requests, reviews and commit statuses of GitHub, GitLab, Gitea and Forgejo."""
