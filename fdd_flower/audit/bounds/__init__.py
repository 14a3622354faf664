"""From right and wrong guesses to statements about epsilon."""
