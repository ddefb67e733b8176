"""What a task is trained with, as texts: recipes and the catalogue of backbones. No torch here."""
