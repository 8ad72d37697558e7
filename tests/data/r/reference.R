# What R says of fits, kept in reference.json for the tests of gd, which do not need R:
#
#     Rscript tests/data/r/reference.R        (of R 4.2 or later, with jsonlite, quantreg, lmtest and nortest)
#
# A case has the data, the model as gd takes it, the R code that fits it (`r`), and what R says of the answer. Parameters
# stand in R's order under gd's names. A profile has three pairs of ends for each parameter: `confint`, as R gives
# them (straight lines between some places of a spline through some points of the profile); `fine` (a spline through a
# profile with more steps, without the lines); and `root`, the place where the least deviance with that parameter held,
# fitted by R, is as far up as the quantile says (by uniroot).
suppressPackageStartupMessages({
  library(MASS); library(quantreg); library(lmtest); library(nortest); library(jsonlite)
})
options(digits = 17)
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
nist <- function(name) read.csv(file.path(here, "..", "nist", paste0(name, ".csv")))
PRECISE <- nls.control(maxiter = 500, tol = 1e-7, minFactor = 1e-12, nDcentral = TRUE)

datasets <- list()
cases <- list()
kept <- function(name, frame) {
  frame <- as.data.frame(lapply(frame, function(column) if (is.factor(column)) as.character(column) else column))
  datasets[[name]] <<- as.list(frame)
}

# -- profiles ----------------------------------------------------------------------------------------------------------

held_nls <- function(m, name, data) {
  start <- as.list(coef(m))
  weights <- weights(m)
  function(place) {
    expression <- do.call(substitute, list(formula(m), setNames(list(place), name)))
    rest <- start[names(start) != name]
    if (length(rest) == 0) {
      return(sum((eval(expression[[2]], data) - eval(expression[[3]], data))^2))
    }
    arguments <- list(as.formula(expression), data = data, start = rest, control = PRECISE)
    if (!is.null(weights)) arguments$weights <- weights
    found <- do.call(nls, arguments)
    start[names(rest)] <<- as.list(coef(found))
    deviance(found)
  }
}

held_glm <- function(m, name) {
  X <- model.matrix(m)[, names(coef(m)) != name, drop = FALSE]
  column <- model.matrix(m)[, name]
  offset <- if (is.null(m$offset)) 0 else m$offset
  start <- coef(m)[colnames(X)]
  function(place) {
    found <- suppressWarnings(glm.fit(X, m$y, m$prior.weights, offset = offset + place * column, family = m$family,
                                      start = start, control = glm.control(epsilon = 1e-14, maxit = 100)))
    start <<- found$coefficients
    found$deviance
  }
}

# In steps from the estimate, as fits far away start where the last one ended; ten standard errors out there is none.
end_of <- function(held, estimate, error, least, unit, quantile) {
  tau <- function(place) sqrt(max(held(place) - least, 0) / unit) - quantile
  place <- estimate
  for (k in 1:100) {
    place <- estimate + 0.1 * k * error
    if (tau(place) > 0) break
  }
  inside <- estimate + 0.1 * (k - 1) * error
  uniroot(tau, sort(c(inside, place)), tol = 1e-13 * max(abs(inside), abs(place)), maxiter = 200)$root
}

# As R's confint, from a profile with more steps, and without the straight lines by which it joins the places of its spline.
splined <- function(profile, quantile) {
  t(sapply(names(profile), function(name) {
    one <- profile[[name]]
    places <- if (is.matrix(one$par.vals)) one$par.vals[, name] else one$par.vals
    line <- spline(places, one[[1]], n = 1e5)
    approx(line$y, line$x, xout = c(-quantile, quantile))$y
  }))
}

quietly <- function(call, n) {
  none <- function(e) matrix(NA, n, 2)
  matrix(tryCatch(suppressMessages(suppressWarnings(call)), error = none), n)
}

profile_of <- function(m, usual, data) {
  n <- length(coef(m))
  is_nls <- inherits(m, "nls")
  quantile <- if (is_nls) qt(0.975, df.residual(m)) else qnorm(0.975)
  unit <- if (is_nls) sigma(m)^2 else 1
  errors <- sqrt(diag(vcov(m)))
  root <- t(sapply(names(coef(m)), function(name) sapply(c(-1, 1), function(side) {
    held <- if (is_nls) held_nls(m, name, data) else held_glm(m, name)
    tryCatch(end_of(held, coef(m)[[name]], side * errors[[name]], deviance(m), unit, quantile), error = function(e) NA)
  })))
  fine <- if (is_nls) quote(profile(usual, delta.t = 0.12, maxpts = 1000)) else quote(profile(usual, del = 0.05, maxsteps = 1000))
  list(confint = quietly(confint(usual), n), fine = quietly(splined(eval(fine), quantile), n), root = unname(root))
}

# -- what is told of a fit ---------------------------------------------------------------------------------------------

facts <- function(m, told) {
  found <- list(estimates = I(unname(coef(m))))
  summary <- summary(m)
  found$errors <- I(unname(coef(summary)[, 2]))
    if (ncol(coef(summary)) > 3) found$p <- I(unname(coef(summary)[, 4]))
  found$dof <- df.residual(m)
  if ("likelihood" %in% told) {
    # MASS counts theta in logLik's df, glm the dispersion of Gamma
    found$log_likelihood <- as.numeric(logLik(m))
    found$aic <- AIC(m)
    found$bic <- BIC(m)
  }
  if ("sd" %in% told) found$residual_sd <- sigma(m)
  if ("deviance" %in% told) found$deviance <- deviance(m)
  if ("lm" %in% told) {
    found$r_squared <- summary$r.squared
    found$f <- unname(summary$fstatistic)
    found$model_p <- unname(pf(found$f[1], found$f[2], found$f[3], lower.tail = FALSE))
  }
  if ("influence" %in% told) {
    found$leverage <- unname(hatvalues(m))
    found$cook <- unname(cooks.distance(m))
    found$studentised <- unname(rstudent(m))
  }
  if ("residuals" %in% told) {
    found$durbin_watson <- unname(dwtest(m)$statistic)
    normality <- ad.test(residuals(m))
    found$anderson_darling <- c(unname(normality$statistic), normality$p.value)
  }
  found
}

case <- function(name, data, model, parameters, r, told = c(), start = NULL, new = NULL, test = NULL, ...,
                 frame = data) {
  if (is.null(datasets[[data]])) kept(data, get(frame, globalenv()))
  environment <- new.env(parent = globalenv())
  environment$d <- get(frame, globalenv())
  m <- tryCatch(eval(parse(text = r), environment), error = function(e) stop(name, ": ", conditionMessage(e)))
  names <- parameters
  found <- if (inherits(m, "rq")) list(estimates = I(unname(coef(m))), value = m$rho) else facts(m, told)
  if (inherits(m, "negbin")) found$theta <- m$theta
  if (inherits(m, "rlm")) found$scale <- m$s
  if ("profile" %in% told) {
    # profiles of nls take steps that are not fitted as sharply
    usual <- eval(parse(text = sub("control = PRECISE", "control = nls.control(500)", r)), environment)
    found$profile <- profile_of(m, usual, environment$d)
  }
  one <- list(name = name, data = data, model = model, parameters = I(names), r = r, start = as.list(start), options = list(...),
              told = found)
  if (!is.null(new)) {
    predicted <- predict(m, as.data.frame(new), se.fit = TRUE, type = "response")
    one$new <- lapply(new, I)
    one$told$predicted <- list(fitted = unname(if (is.list(predicted)) predicted$fit else predicted))
    if (is.list(predicted)) one$told$predicted$standard_error <- unname(predicted$se.fit)
    if (inherits(m, "lm") && !inherits(m, "glm")) {
      for (kind in c("confidence", "prediction")) {
        one$told$predicted[[kind]] <- unname(predict(m, as.data.frame(new), interval = kind)[, 2:3])
      }
    }
  }
  cases[[length(cases) + 1]] <<- one
  invisible(m)
}

nested <- list()
compared <- function(name, data, models, r, test, start = NULL, ..., frame = data) {
  if (is.null(datasets[[data]])) kept(data, get(frame, globalenv()))
  environment <- new.env(parent = globalenv())
  environment$d <- get(frame, globalenv())
  fits <- lapply(r, function(text) eval(parse(text = text), environment))
  table <- do.call(anova, c(fits, if (test == "F") list() else list(test = "Chisq")))
  last <- table[nrow(table), ]
  value <- if (test == "F") last[["F value"]] else last[["Deviance"]]
  if (test == "F" && is.null(value)) value <- last[["F"]]
  p <- last[[length(last)]]
  nested[[length(nested) + 1]] <<- list(
    name = name, data = data, models = models, r = r, start = as.list(start), options = list(...), test = test,
    statistic = value, p = p, aic = sapply(fits, AIC), bic = sapply(fits, BIC))
}

# -- nls: the examples of R's help pages, and NIST's --------------------------------------------------------------------

both <- c("likelihood", "sd", "profile")
treated <- subset(Puromycin, state == "treated", select = c(conc, rate))
untreated <- subset(Puromycin, state == "untreated", select = c(conc, rate))
run1 <- subset(as.data.frame(DNase), Run == 1, select = c(conc, density))
bod <- as.data.frame(BOD)
chick <- function(k) subset(as.data.frame(ChickWeight), Chick == k, select = c(Time, weight))
chick1 <- chick(1)
chick6 <- subset(chick(6), Time < 43)
loblolly <- subset(as.data.frame(Loblolly), Seed == 301, select = c(age, height))
loblolly329 <- subset(as.data.frame(Loblolly), Seed == 329, select = c(age, height))
orange <- subset(as.data.frame(Orange), Tree == 3, select = c(age, circumference))
indometh <- subset(as.data.frame(Indometh), Subject == 1, select = c(time, conc))
theoph <- subset(as.data.frame(Theoph), Subject == 1, select = c(Time, conc))
theoph$Dose <- 4.02
co2 <- subset(as.data.frame(CO2), Plant == "Qn1", select = c(conc, uptake))
for (name in c("Chwirut2", "Chwirut1", "Thurber", "Misra1a", "Rat42", "Rat43", "DanWood", "Roszman1", "MGH17", "Hahn1")) {
  assign(name, nist(name))
}
R <- function(text, start, algorithm = "") {
  sprintf("nls(%s, d, start = list(%s), control = PRECISE%s)", text,
          paste(names(start), start, sep = " = ", collapse = ", "), algorithm)
}
curve <- function(name, data, text, start, ..., r = gsub("**", "^", text, fixed = TRUE), told = both) {
  case(name, data, text, names(start), R(r, start), told, start = start, ...)
}

MICHAELIS <- "rate ~ V*conc/(K + conc)"
curve("Michaelis-Menten, treated", "treated", MICHAELIS, c(V = 200, K = 0.05), new = list(conc = c(0.01, 0.3, 2)))
curve("Michaelis-Menten, untreated", "untreated", MICHAELIS, c(V = 160, K = 0.05))
case("Michaelis-Menten, weights", "treated", MICHAELIS, c("V", "K"),
     "nls(rate ~ V*conc/(K + conc), d, start = list(V = 200, K = 0.05), weights = 1/conc, control = PRECISE)",
     c("likelihood", "sd", "profile"), start = c(V = 200, K = 0.05), weights = "1/conc")
case("Michaelis-Menten, by its logarithm", "treated", "log(rate) ~ log(V*conc/(K + conc))", c("V", "K"),
     "nls(log(rate) ~ log(V*conc/(K + conc)), d, start = list(V = 200, K = 0.05), control = PRECISE)", both,
     start = c(V = 200, K = 0.05))
curve("logistic, DNase run 1", "run1", "density ~ Asym/(1 + exp((xmid - log(conc))/scal))",
      c(Asym = 2.3, xmid = 1.5, scal = 1))
curve("Gompertz, DNase run 1", "run1", "density ~ Asym*exp(-b2*b3**log(conc))", c(Asym = 4.6, b2 = 2.27, b3 = 0.716))
curve("BOD", "bod", "demand ~ A*(1 - exp(-k*Time))", c(A = 20, k = 0.5))
curve("logistic, chick 1", "chick1", "weight ~ Asym/(1 + exp((xmid - Time)/scal))", c(Asym = 368, xmid = 14, scal = 6))
curve("four parameters, chick 1", "chick1", "weight ~ A + (B - A)/(1 + exp((xmid - Time)/scal))",
      c(A = 27, B = 348, xmid = 19, scal = 7))
curve("Weibull, chick 6", "chick6", "weight ~ Asym - Drop*exp(-exp(lrc)*Time**pwr)",
      c(Asym = 158, Drop = 111, lrc = -9.9, pwr = 4))
ASYMPTOTIC <- "height ~ Asym + (R0 - Asym)*exp(-exp(lrc)*age)"
curve("asymptotic, Loblolly 301", "loblolly", ASYMPTOTIC, c(Asym = 100, R0 = -8, lrc = -3))
curve("asymptotic, Loblolly 329", "loblolly329", ASYMPTOTIC, c(Asym = 94, R0 = -8, lrc = -3))
curve("asymptotic through 0, Loblolly 329", "loblolly329", "height ~ Asym*(1 - exp(-exp(lrc)*age))",
      c(Asym = 96, lrc = -3))
curve("with an offset, CO2 Qn1", "co2", "uptake ~ Asym*(1 - exp(-exp(lrc)*(conc - c0)))", c(Asym = 38, lrc = -4.3, c0 = 51))
curve("logistic, Orange 3", "orange", "circumference ~ Asym/(1 + exp((xmid - age)/scal))",
      c(Asym = 159, xmid = 735, scal = 400))
curve("two rates, Indometh 1", "indometh", "conc ~ A1*exp(-exp(lrc1)*time) + A2*exp(-exp(lrc2)*time)",
      c(A1 = 2, lrc1 = 0.9, A2 = 0.6, lrc2 = -1))
curve("first order, Theoph 1", "theoph",
      "conc ~ Dose*exp(lKe + lKa - lCl)*(exp(-exp(lKe)*Time) - exp(-exp(lKa)*Time))/(exp(lKa) - exp(lKe))",
      c(lKe = -2.9, lKa = 0.57, lCl = -3.9))
curve("power, cars", "cars", "dist ~ a*speed**b", c(a = 0.5, b = 1.5), new = list(speed = c(5, 12, 30)))
curve("Chwirut2", "Chwirut2", "y ~ exp(-b1*x)/(b2 + b3*x)", c(b1 = 0.15, b2 = 0.005, b3 = 0.01))
curve("Misra1a", "Misra1a", "y ~ b1*(1 - exp(-b2*x))", c(b1 = 240, b2 = 5e-4))
curve("Rat42", "Rat42", "y ~ b1/(1 + exp(b2 - b3*x))", c(b1 = 72, b2 = 2.6, b3 = 0.067))
curve("Rat43", "Rat43", "y ~ b1/(1 + exp(b2 - b3*x))**(1/b4)", c(b1 = 700, b2 = 5.3, b3 = 0.76, b4 = 1.28))
curve("DanWood", "DanWood", "y ~ b1*x**b2", c(b1 = 0.77, b2 = 3.86))
curve("Roszman1", "Roszman1", "y ~ b1 - b2*x - atan(b3/(x - b4))/pi", c(b1 = 0.2, b2 = -6e-6, b3 = 1204, b4 = -181))
curve("MGH17", "MGH17", "y ~ b1 + b2*exp(-x*b4) + b3*exp(-x*b5)", c(b1 = 0.375, b2 = 1.94, b3 = -1.46, b4 = 0.0129, b5 = 0.0221))
curve("Thurber", "Thurber", "y ~ (b1 + b2*x + b3*x**2 + b4*x**3)/(1 + b5*x + b6*x**2 + b7*x**3)",
      c(b1 = 1288, b2 = 1491, b3 = 583, b4 = 75, b5 = 0.97, b6 = 0.4, b7 = 0.05))

# -- lm ----------------------------------------------------------------------------------------------------------------

air <- setNames(na.omit(airquality)[, 1:4], c("Ozone", "Solar", "Wind", "Temp"))
flowers <- setNames(iris[, c(2, 4, 5)], c("width", "petal", "Species"))
straight <- c("likelihood", "sd", "lm", "influence", "residuals")
stack <- setNames(stackloss, c("air", "water", "acid", "loss"))
case("cars", "cars", "dist ~ a + b*speed", c("a", "b"), "lm(dist ~ speed, d)", straight, new = list(speed = c(3, 5, 12, 21, 30)))
case("cars, parabola", "cars", "dist ~ a + b*speed + c*speed**2", c("a", "b", "c"), "lm(dist ~ speed + I(speed^2), d)",
     straight, new = list(speed = c(3, 12, 30)))
case("cars, weights", "cars", "dist ~ a + b*speed", c("a", "b"), "lm(dist ~ speed, d, weights = 1/speed)",
     c("likelihood", "sd", "lm", "influence"), weights = "1/speed")
case("cars, through 0", "cars", "dist ~ b*speed", "b", "lm(dist ~ 0 + speed, d)", c("likelihood", "sd", "influence"),
     new = list(speed = c(5, 12)))
case("stackloss", "stack", "loss ~ a + b*air + c*water + d*acid", c("a", "b", "c", "d"), "lm(loss ~ ., d)", straight,
     new = list(air = c(60, 75), water = c(20, 30), acid = c(85, 90)))
case("PlantGrowth", "PlantGrowth", "weight ~ m + C(group)", c("m", "group_trt1", "group_trt2"), "lm(weight ~ group, d)",
     straight)
case("mtcars", "mtcars", "mpg ~ a + b*wt + C(cyl)", c("a", "b", "cyl_6", "cyl_8"), "lm(mpg ~ wt + factor(cyl), d)", straight)
case("warpbreaks", "warpbreaks", 'log(breaks) ~ a + C(wool) + C(tension, "L")', c("a", "wool_B", "tension_M", "tension_H"),
     "lm(log(breaks) ~ wool + tension, d)", straight)
case("iris", "flowers", "width ~ a + C(Species) + (b + C(Species, slope))*petal",
     c("a", "Species_versicolor", "Species_virginica", "b", "slope_versicolor", "slope_virginica"),
     "lm(width ~ Species*petal, d)", straight)
case("women", "women", "weight ~ a + b*height + c*height**2", c("a", "b", "c"), "lm(weight ~ height + I(height^2), d)", straight)
case("faithful", "faithful", "eruptions ~ a + b*waiting", c("a", "b"), "lm(eruptions ~ waiting, d)", straight,
     new = list(waiting = c(45, 80)))
case("airquality", "air", "Ozone ~ a + b*Solar + c*Wind + d*Temp", c("a", "b", "c", "d"), "lm(Ozone ~ Solar + Wind + Temp, d)",
     straight)

# -- glm ---------------------------------------------------------------------------------------------------------------

general <- c("likelihood", "deviance", "profile")
dobson <- data.frame(counts = c(18, 17, 15, 20, 10, 20, 25, 13, 12), outcome = factor(rep(1:3, 3)), treatment = factor(rep(1:3, each = 3)))
clotting <- data.frame(u = c(5, 10, 15, 20, 30, 40, 60, 80, 100), lot1 = c(118, 58, 42, 35, 27, 25, 21, 19, 18),
                       lot2 = c(69, 35, 26, 21, 18, 16, 13, 12, 12))
budworm <- data.frame(ldose = rep(0:5, 2), sex = factor(rep(c("M", "F"), c(6, 6))),
                      dead = c(1, 4, 9, 13, 18, 20, 0, 2, 6, 10, 12, 16), n = 20)
budworm_rows <- with(budworm, data.frame(ldose = rep(ldose, 2), sex = rep(sex, 2), died = rep(1:0, each = 12),
                                         count = c(dead, n - dead)))
births <- with(birthwt, data.frame(low, age, lwt, race = factor(race), smoke, ptl = as.numeric(ptl > 0), ht, ui))
insurance <- data.frame(District = Insurance$District, Group = as.character(Insurance$Group), Age = as.character(Insurance$Age),
                        Holders = Insurance$Holders, Claims = Insurance$Claims)
colours <- c("outcome_2", "outcome_3", "treatment_2", "treatment_3")
glm_exact <- function(text, family) sprintf("glm(%s, %s, d, control = glm.control(1e-14, 100))", text, family)
case("Dobson's counts", "dobson", "counts ~ exp(a + C(outcome) + C(treatment))", c("a", colours),
     glm_exact("counts ~ outcome + treatment", "poisson"), general, start = c(a = 1), loss = "poisson")
case("InsectSprays", "InsectSprays", "count ~ exp(a + C(spray))", c("a", paste0("spray_", LETTERS[2:6])),
     glm_exact("count ~ spray", "poisson"), general, start = c(a = 1), loss = "poisson")
case("warpbreaks, Poisson", "warpbreaks", 'breaks ~ exp(a + C(wool) + C(tension, "L"))',
     c("a", "wool_B", "tension_M", "tension_H"), glm_exact("breaks ~ wool + tension", "poisson"), general,
     start = c(a = 1), loss = "poisson")
case("Insurance", "insurance", 'Claims ~ Holders*exp(a + C(District) + C(Group, "<1l") + C(Age, "<25"))',
     c("a", "District_2", "District_3", "District_4", "Group_1_1_5l", "Group_1_5_2l", "Group_2l", "Age_25_29", "Age_30_35",
       "Age_35"),
     glm_exact("Claims ~ District + factor(Group, c('<1l', '1-1.5l', '1.5-2l', '>2l')) + factor(Age, c('<25', '25-29', '30-35', '>35')) + offset(log(Holders))", "poisson"),
     c("likelihood", "deviance", "profile"), start = c(a = -1), loss = "poisson")
case("budworm", "budworm", 'dead ~ a + C(sex, "F") + c*ldose', c("a", "sex_M", "c"),
     glm_exact("cbind(dead, n - dead) ~ sex + ldose", "binomial"), general, loss = "binomial", trials = "n")
case("budworm, rows counted", "budworm_rows", 'died ~ a + C(sex, "F") + c*ldose', c("a", "sex_M", "c"),
     "glm(died ~ sex + ldose, binomial, d, weights = count, control = glm.control(1e-14, 100))",
     general, loss = "logistic", weights = "count")
case("birthwt", "births", "low ~ a + b*age + c*lwt + C(race) + d*smoke + f*ptl + g*ht + h*ui",
     c("a", "b", "c", "race_2", "race_3", "d", "f", "g", "h"),
     glm_exact("low ~ age + lwt + race + smoke + ptl + ht + ui", "binomial"), general, loss = "logistic")
case("mtcars, logistic", "mtcars", "am ~ a + b*wt", c("a", "b"), glm_exact("am ~ wt", "binomial"), general, loss = "logistic",
     new = list(wt = c(2, 3, 4)))
case("infert", "infert", "case ~ a + b*spontaneous + c*induced", c("a", "b", "c"),
     glm_exact("case ~ spontaneous + induced", "binomial"), general, loss = "logistic")
for (lot in c("lot1", "lot2")) {
  case(paste("clotting,", lot), "clotting", paste(lot, "~ 1/(a + b*log(u))"), c("a", "b"),
       glm_exact(paste(lot, "~ log(u)"), "Gamma"), c("likelihood", "deviance"), start = c(a = -0.01, b = 0.01), loss = "gamma")
  case(paste("clotting, logarithm,", lot), "clotting", paste(lot, "~ exp(a + b*log(u))"), c("a", "b"),
       glm_exact(paste(lot, "~ log(u)"), "Gamma('log')"), c("likelihood", "deviance"), start = c(a = 5, b = -0.5), loss = "gamma")
}
case("quine", "quine", "Days ~ exp(a + C(Eth) + C(Sex) + C(Age) + C(Lrn))",
     c("a", "Eth_N", "Sex_M", "Age_F1", "Age_F2", "Age_F3", "Lrn_SL"),
     "glm.nb(Days ~ Eth + Sex + Age + Lrn, d, control = glm.control(1e-12, 200))", c("likelihood", "deviance"),
     start = c(a = 1), loss = "negative-binomial")

# -- robust and quantile lines -------------------------------------------------------------------------------------------

STACK <- "loss ~ a + b*air + c*water + d*acid"
phones <- as.data.frame(MASS::phones)
robust <- function(name, data, model, parameters, text, psi, ...) {
  case(paste(name, psi), data, model, parameters, sprintf("rlm(%s, data = d, psi = %s, maxit = 2000, acc = 1e-14)", text, psi), ...,
       loss = c(psi.huber = "huber", psi.bisquare = "tukey")[[psi]], scale = "auto")
}
for (psi in c("psi.huber", "psi.bisquare")) {
  robust("stackloss", "stack", STACK, c("a", "b", "c", "d"), "loss ~ .", psi)
  robust("phones", "phones", "calls ~ a + b*year", c("a", "b"), "calls ~ year", psi)
  robust("cars", "cars", "dist ~ a + b*speed", c("a", "b"), "dist ~ speed", psi)
  # gd's weights tell by their ratios alone, R's cases are so many rows: the same where their mean is 1
  robust("cars, weights", "cars", "dist ~ a + b*speed", c("a", "b"),
         "dist ~ speed, weights = speed/mean(speed), wt.method = 'case'", psi, weights = "speed")
}
data(engel)
for (tau in c(0.1, 0.25, 0.5, 0.75, 0.9)) {
  case(paste("stackloss, quantile", tau), "stack", STACK, c("a", "b", "c", "d"), sprintf("rq(loss ~ ., %g, d)", tau),
       loss = "quantile", quantile = tau)
  case(paste("engel, quantile", tau), "engel", "foodexp ~ a + b*income", c("a", "b"), sprintf("rq(foodexp ~ income, %g, d)", tau),
       loss = "quantile", quantile = tau)
}

# -- models compared -----------------------------------------------------------------------------------------------------

puromycin <- transform(Puromycin, treated = as.numeric(state == "treated"))[, c("conc", "rate", "treated")]
compared("Puromycin, one K or two", "puromycin",
         c("rate ~ (Vm + dV*treated)*conc/(K + conc)", "rate ~ (Vm + dV*treated)*conc/(K + dK*treated + conc)"),
         c(R("rate ~ (Vm + dV*treated)*conc/(K + conc)", c(Vm = 160, dV = 50, K = 0.05)),
           R("rate ~ (Vm + dV*treated)*conc/(K + dK*treated + conc)", c(Vm = 160, dV = 50, K = 0.05, dK = 0.01))), "F",
         start = c(Vm = 160, dV = 50, K = 0.05, dK = 0.01))
compared("cars, line or parabola", "cars", c("dist ~ a + b*speed", "dist ~ a + b*speed + c*speed**2"),
         c("lm(dist ~ speed, d)", "lm(dist ~ speed + I(speed^2), d)"), "F")
compared("mtcars, cylinders", "mtcars", c("mpg ~ a + b*wt", "mpg ~ a + b*wt + C(cyl)"),
         c("lm(mpg ~ wt, d)", "lm(mpg ~ wt + factor(cyl), d)"), "F")
compared("Dobson's counts, treatment", "dobson", c("counts ~ exp(a + C(outcome))", "counts ~ exp(a + C(outcome) + C(treatment))"),
         c(glm_exact("counts ~ outcome", "poisson"), glm_exact("counts ~ outcome + treatment", "poisson")), "chi-square", start = c(a = 1), loss = "poisson")
compared("budworm, sex", "budworm", c("dead ~ a + c*ldose", "dead ~ a + C(sex) + c*ldose"),
         c(glm_exact("cbind(dead, n - dead) ~ ldose", "binomial"), glm_exact("cbind(dead, n - dead) ~ sex + ldose", "binomial")),
         "chi-square", loss = "binomial", trials = "n")

lines <- function(list, name) {
  json <- sapply(list, toJSON, digits = NA, auto_unbox = TRUE, null = "null", na = "null")
  open <- if (is.null(names(list))) "" else paste0('"', names(list), '": ')
  brackets <- if (is.null(names(list))) c("[", "]") else c("{", "}")
  paste0('"', name, '": ', brackets[1], "\n", paste0(open, json, collapse = ",\n"), "\n", brackets[2])
}
writeLines(paste0('{"made_by": "Rscript tests/data/r/reference.R", "version": "', R.version.string, '",\n',
                  lines(datasets, "datasets"), ",\n", lines(cases, "cases"), ",\n", lines(nested, "nested"), "}"),
           file.path(here, "reference.json"))
