"""Parts of the settlement service: its words, its memory, its outbox, what it reads of L1 and what it feeds back."""
