"""What `make check` leaves out: published figures, whole runs, simulators, long fits."""

SLOW = {
    "test_benchmarks.py",
    "test_blend.py",
    "test_contest_attacks.py",
    "test_gpu.py",
    "test_gpu_simulator.py",
    "test_install.py",
    "test_notebook_outputs.py",
    "test_published.py",
    "test_published_blend.py",
    "test_run_options.py",
    "test_runs.py",
    "test_synthetic.py",
    "test_a_planted_machine_is_found",
    "test_a_user_folded_in_gets_what_a_row_of_the_fit_would_get",
    "test_all_solvers_reach_the_same_depth",
    "test_als_and_gd_settle_where_the_whole_gradient_vanishes",
    "test_cases_of_all_netflix_movies_fit_in_one_gigabyte",
    "test_memory_stays_small",
    "test_one_visit_a_session_equals_stepping_every_part_at_every_rating",
    "test_planted_factors_come_back",
    "test_planted_rates_of_fading_come_back",
    "test_taste_that_drifts_is_worth_the_drift_of_the_factors",
}
"""Files, and tests by name."""
