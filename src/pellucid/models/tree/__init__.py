"""Tree ensembles of every library as one record of arrays, and the kernels that run on it.

`forest` is the record, `sklearn`, `lightgbm` and `xgboost` read models into it, `encoding` brings rows into the columns
that the trees split on, `question` binds a target, `engine` chooses among the kernels of `leaves`, `few`, `meeting`,
`quadrature`, `table` and `pairs`, and `pool` runs them. `free` answers for every value of a plotted feature.
"""
