"""The numbers of floating point, and what is small beside what: each constant stands here once, with its reason.

A part of a number is what it is multiplied by: ``EPS * abs(value)`` is the rounding of ``value``. Constants of one
algorithm (the growth of a radius, the number of its trials) stand with the algorithm.
"""

from __future__ import annotations

# -- doubles (IEEE 754 binary64) ------------------------------------------------------------------------------------

# The distance from 1 to the next double, and the most that rounding can change a number by, as a part of it.
EPS = 2.0**-52
UNIT_ROUNDOFF = 2.0**-53
LARGEST = 1.7976931348623157e308
# The least number with all its digits, and the least number.
SMALLEST_NORMAL = 2.0**-1022
SMALLEST = 2.0**-1074
# A length or a divisor may be as small and its products with numbers of usual size are normal still.
TINY = 1e-300

# -- the rounding of values -----------------------------------------------------------------------------------------

# A rise by two units in the last place is the rounding of the value; a real one doubles many times over.
VALUE_NOISE = 2.0 * EPS
# A value comes from some ten operations, each off by a unit, and so does the next one: a predicted fall of less than
# twenty units cannot be told from none.
FLOOR = 20.0 * EPS
# Where a run ends so, steps were refused that were foretold a fall as small; a gap below four times that, for a model
# which is off by a half or so, cannot be realised either.
CLAIM_FLOOR = 4.0 * FLOOR
# What rounding makes of a value was seen at a few points only, and may be so many times more at others.
CLEARLY = 4.0

# -- what of a value is nothing -------------------------------------------------------------------------------------

# The gap, as a part of the value, at which a run ends: less cannot be told to a user in twelve digits.
GAP_TOL = 1e-12
# The same as a part of what was gained so far: a value far smaller than its fall is zero but for the fall's rounding.
PART_TOL = 1e-10
# Of a value that tends to 0 this part of its fall is left, one more step of quadratic convergence. Such a value has no
# rounding that could tell where to end: it is a product or a square that is 0 at the minimum, and right to all its
# digits however small. PART_TOL is what must be left before that step, which squares it.
LEAST_PART = PART_TOL**2
# A fall on a walk is news from four times the gap on that the model, a quarter off at most, knows of already.
NEWS = 4.0 * GAP_TOL

# -- matrices -------------------------------------------------------------------------------------------------------

# Singular values of a Jacobian with columns of length 1 count as zero below this part of the largest, times the number
# of columns: the rounding of the columns themselves.
RANK_TOL = 4.0 * EPS
# Directions are called without effect below this part. Rounding makes 1e-15 of a zero; the least of the NIST problems
# is 2e-5; at 1e-12 a standard error has three digits.
REDUNDANT = 1e-12
# Eigenvalues of a Hessian with unit diagonal are squares of singular values, and blurred by its rounding.
NULL_EIGENVALUE = 1e-11
# A column is made up of the others when only this part of its length is not: a QR factor is then right to seven digits.
INDEPENDENT = 1e-9
# Eigenvalues of a matrix are computed to about this part of the largest one (some operations on each entry).
EIGENVALUE_ROUNDING = 1e-15
# Eigenvalues that agree to this part of the largest are one eigenvalue, with one eigenspace.
EQUAL_EIGENVALUES = 1e-12
# Eigenvalues of a covariance so small beside the largest are rounding.
NEGLIGIBLE_VARIANCE = 1e-12
# A rotation that changes the diagonal by less than this part is below rounding.
NEGLIGIBLE_ROTATION = 1e-17
# A diagonal entry below this part of the largest entry is rounding.
LEAST_DIAGONAL = 1e-16
# The model is called strictly convex when every squared pivot of the scaled Cholesky factor exceeds this: the condition
# number of the scaled matrix is then below about 1e8 and half the digits of the Newton step are good.
LEAST_PIVOT = 1e-8

# -- constraints ----------------------------------------------------------------------------------------------------

# A constraint holds where it is broken by no more than this part of what it compares (at the start 1 at most).
HOLDS = 1e-9
# A side, or a bound, that is so near to holding with equality is active; so near to a kink is at it.
ACTIVE = 1e-7

# -- lengths --------------------------------------------------------------------------------------------------------

# No step is found, and no edge of a domain approached further, where a radius is lost in the rounding of the variables.
SMALLEST_RADIUS = 1e-15
# The steps of difference quotients that balance what they leave out with the rounding of a value of size 1: of the
# first derivative (central), of the second, and of a Hessian product from two gradients (near the root of EPS).
CENTRAL_STEP = EPS ** (1.0 / 3.0)
SECOND_STEP = EPS**0.25
PRODUCT_STEP = 1.5e-8

# No minimum is taken to be of a higher order: what flattens out faster has its infimum at infinity. Towards a minimum
# of order p each of Newton's steps is 1 - 1/(p - 1) of the one before, p - 1 steps in all.
HIGHEST_ORDER = 150.0
