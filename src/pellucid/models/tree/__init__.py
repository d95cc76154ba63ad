"""Tree ensembles of every library as one record of arrays, and the kernels that run on it.

`forest` is the record, `sklearn`, `lightgbm` and `xgboost` read models into it, `encoding` brings rows into the columns
that the trees split on, `question` binds a target, and `engine` runs the kernels of `table`, `quadrature` and `direct`.
"""
