"""How the weight files came to be: readers, converters and the training recipe. Not used at run time."""
